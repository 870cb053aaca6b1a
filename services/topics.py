"""Makes every owner's topic as the services want it, or tells what is wrong with the one that is there. Once, by the
operator, before services start that may not make topics themselves."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.topics import Owner, topic_of

from .chassis import kafka
from .chassis.kafka_settings import KafkaSettings
from .chassis.settings import PREFIX


class TopicsSettings(KafkaSettings, BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kafka_replication: Annotated[
        int, Field(ge=1, le=10, description="on how many brokers each partition is kept; 3 where there are three")
    ] = 1


async def make_topics(settings: TopicsSettings) -> list[str]:
    """Their names. Raises as kafka.ensure_topic."""
    topics = [topic_of(owner) for owner in Owner]
    for topic in topics:
        await kafka.ensure_topic(
            settings.kafka, topic, settings.partitions, settings.kafka_forgets, settings.kafka_replication
        )
    return topics
