"""python with_faststream.py localhost:9092 totals.json [group]"""

import asyncio
import sys
from typing import Any

from billing_contracts.reading import decode
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from totals import Totals

bootstrap, file, group = [*sys.argv[1:], "totals"][:3]
totals = Totals(file)
broker = KafkaBroker(bootstrap)
# FastStream would begin at the end and acknowledge first: both are said here.
options: dict[str, Any] = {"auto_offset_reset": "earliest", "ack_policy": AckPolicy.NACK_ON_ERROR, "batch": True}


@broker.subscriber("billing.plans.v1", "billing.renewals.v1", group_id=group, **options)
async def take(_: Any, message: KafkaMessage) -> None:
    for record in message.raw_message:
        totals.add(record.topic, record.partition, decode(record))
    totals.save()


asyncio.run(FastStream(broker).run())
