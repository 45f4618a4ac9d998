"""Real servers for the tests: nginx as a process, an aiohttp.web application in the test's loop."""
