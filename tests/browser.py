"""A real browser for the tests: the system's Chromium, and axe-core to examine a page."""

import contextlib
from collections.abc import Iterator
from typing import Any

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextlib.contextmanager
def chromium(path: str) -> Iterator[Any]:
    """Start the Chromium at `path`, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def watched(page: Any) -> Any:
    """Give a page two lists: `complaints` of its console, and the `requests` that it makes."""
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    return page


def axe(page: Any) -> list[str]:
    """What axe-core finds wrong with a page, one line an element: rule, help, place."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {node['target']}: {node['html'][:160]}"
        for each in violations
        for node in each["nodes"]
    ]
