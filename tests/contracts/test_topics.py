"""The partition of an account is the one every Kafka client's default partitioner picks."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from contracts.topics import Owner, partition_of, topic_of


@given(st.text(max_size=40), st.integers(1, 12))
def test_an_account_goes_where_kafkas_default_partitioner_puts_it(account_id: str, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(account_id, partitions) == DefaultPartitioner()(account_id.encode(), everywhere, everywhere)


def test_each_owner_has_one_topic() -> None:
    assert [topic_of(owner) for owner in Owner] == ["billing.plans.v1", "billing.devices.v1", "billing.renewals.v1"]
