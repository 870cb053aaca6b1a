"""Where events travel on Kafka: one topic per owner, keyed by account, so one account keeps its order in a topic."""

from enum import StrEnum


class Owner(StrEnum):
    PLANS = "plans"
    DEVICES = "devices"
    RENEWALS = "renewals"


def topic_of(owner: Owner) -> str:
    return f"billing.{owner}.v1"


def partition_of(account_id: str, partitions: int) -> int:
    """The partition every Kafka client's default partitioner picks for this key (murmur2, sign bit cleared)."""
    return (_murmur2(account_id.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(key: bytes) -> int:
    """MurmurHash2, 32 bit, with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2)."""
    mask, mixer = 0xFFFFFFFF, 0x5BD1E995
    digest = (0x9747B28C ^ len(key)) & mask
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * mixer & mask
        word = (word ^ word >> 24) * mixer & mask
        digest = digest * mixer & mask ^ word
    if tail := key[whole:]:
        digest = (digest ^ int.from_bytes(tail, "little")) * mixer & mask
    digest = (digest ^ digest >> 13) * mixer & mask
    return digest ^ digest >> 15
