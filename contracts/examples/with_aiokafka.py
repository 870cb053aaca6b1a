"""python with_aiokafka.py localhost:9092 totals.json [group]"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer
from billing_contracts.reading import decode
from totals import Totals


async def main(bootstrap: str, file: str, group: str = "totals") -> None:
    totals = Totals(file)
    topics = ("billing.plans.v1", "billing.renewals.v1")
    options = {"group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    async with AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **options) as consumer:
        while True:
            for place, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    totals.add(place.topic, place.partition, decode(record))
            totals.save()
            await consumer.commit()


asyncio.run(main(*sys.argv[1:]))
