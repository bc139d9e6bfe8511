"""On which network posts are, where no column says it: their address does."""

from hkreport.ingest.job import Job, rows_words
from hkreport.ingest.values import network_of
from hkreport.units import Unit, text

__all__ = ["find_networks"]


def find_networks(job: Job) -> None:
    """Fill the platform of posts from their addresses, where a post names none."""
    staged = job.staged.get("posts")
    if staged is None or not staged.has("url"):
        return
    network = network_of("url")
    found, first = job.one(
        f"SELECT count({network}), min(row) FILTER ({network} IS NOT NULL) FROM table_posts WHERE platform IS NULL"
    )
    if not found:
        return
    job.con.execute("ALTER VIEW table_posts RENAME TO listed_posts")
    job.view(
        "table_posts",
        f"SELECT * REPLACE (coalesce(platform, {network}) AS platform) FROM listed_posts",
    )
    job.found["posts"] = {*job.found["posts"], "platform"}
    job.say(
        "posts", "platform", "platform_of_address", "note", found,
        f"{staged.source.label}: {text(found, Unit.COUNT)} {rows_words(found)} {'names' if found == 1 else 'name'} no platform; "
        f"it was read from the address of the post (first: row {first}).",
    )  # fmt: skip
