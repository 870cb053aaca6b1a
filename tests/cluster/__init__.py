"""The whole portal on the engines it outgrows one machine on, walked through by the tests of the embedded one."""
