"""One of several processes that share a limit in Redis: prints the time of Redis when a request passes."""

import asyncio
import sys

from redis.asyncio import Redis

from aioclient import ClientResponse, ClientSession, Handler, RateLimit, RedisStore, Request

URL = "http://shared.example/"


async def main(url: str, count: int, rate: float, burst: int, algorithm: str) -> None:
    clock = Redis.from_url(url)

    async def end(request: Request, handler: Handler) -> ClientResponse:
        seconds, micros = await clock.time()
        print(f"{seconds}.{micros:06d}", flush=True)
        return ClientResponse.from_parts(request, 200)

    async with RedisStore(url) as store:
        is_bucket = algorithm == "token_bucket"
        limit = RateLimit(
            rate,
            burst=burst if is_bucket else None,
            algorithm=algorithm,  # type: ignore[arg-type]
            store=store,
        )
        async with ClientSession(middlewares=[limit, end]) as session:
            await asyncio.gather(*(session.get(URL) for _ in range(count)))
    await clock.aclose()


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    )
