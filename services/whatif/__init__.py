"""What if: hypothetical commands on a fork of an account's real history, and the invoices that would come out."""
