"""On which network posts and influencers are, where no column says it.

The address of a post names the network; a list of influencers without a platform takes that of their posts, or of
their orders. What a column says goes before both.
"""

from hkreport.ingest import values
from hkreport.ingest.job import Job, rows_words
from hkreport.ingest.read import quoted
from hkreport.units import Unit, text

__all__ = ["find_networks"]

# Sites of networks, and those that they shorten their own addresses to.
HOSTS = {
    "Instagram": ("instagram.com", "instagr.am"),
    "YouTube": ("youtube.com", "youtu.be"),
    "Twitter": ("twitter.com", "x.com"),
    "TikTok": ("tiktok.com",),
    "Facebook": ("facebook.com", "fb.com", "fb.watch"),
    "LinkedIn": ("linkedin.com", "lnkd.in"),
    "Snapchat": ("snapchat.com",),
    "Pinterest": ("pinterest.com", "in.pinterest.com", "pin.it"),
    "Threads": ("threads.net", "threads.com"),
    "Telegram": ("t.me",),
    "ShareChat": ("sharechat.com",),
    "Moj": ("mojapp.in",),
}


def find_networks(job: Job) -> None:
    """Fill the platform of posts from their addresses, and that of influencers who have no column for it."""
    _of_posts(job)
    _of_influencers(job)


def _of_posts(job: Job) -> None:
    staged = job.staged.get("posts")
    if staged is None or not staged.has("url"):
        return
    network = f"CASE {' '.join(_cases('url'))} END"
    found, first = job.one(
        f"SELECT count({network}), min(row) FILTER ({network} IS NOT NULL) FROM table_posts WHERE platform IS NULL"
    )
    if not found:
        return
    _fill(job, "posts", f"coalesce(platform, {network})")
    job.say(
        "posts", "platform", "platform_of_address", "note", found,
        f"{staged.source.label}: {text(found, Unit.COUNT)} {rows_words(found)} {'names' if found == 1 else 'name'} no platform; "
        f"it was read from the address of the post (first: row {first}).",
    )  # fmt: skip


def _cases(column: str) -> list[str]:
    cases = []
    for network, hosts in HOSTS.items():
        sites = "|".join(host.replace(".", "[.]") for host in hosts)
        form = rf"^\s*(https?://)?((www|m|mobile|web|vm|vt|in)[.])?({sites})([/?#:].*)?$"
        cases.append(f"WHEN regexp_matches(lower({column}), {quoted(form)}) THEN {quoted(network)}")
    return cases


def _of_influencers(job: Job) -> None:
    staged = job.staged.get("influencers")
    if staged is None or staged.has("platform"):
        return
    networks = ", ".join(map(quoted, values.PLATFORMS))
    said = [
        f"SELECT influencer_id, platform, count(*) AS rows, {rank} AS rank FROM table_{name} "
        f"WHERE influencer_id IS NOT NULL AND platform IN ({networks}) GROUP BY ALL"
        for rank, name in enumerate(("posts", "tracking"))
        if name in job.staged and "platform" in job.found[name]
    ]
    found = 0
    if said:
        job.con.execute(
            "CREATE OR REPLACE TABLE networks AS SELECT influencer_id, first(platform ORDER BY rank, rows DESC, platform) "
            f"AS platform FROM ({' UNION ALL '.join(said)}) GROUP BY 1"
        )
        (found,) = job.one(
            "SELECT count(*) FROM table_influencers WHERE influencer_id IN (SELECT influencer_id FROM networks)"
        )
    (people,) = job.one("SELECT count(*) FROM table_influencers")
    if found:
        _fill(
            job,
            "influencers",
            "(SELECT n.platform FROM networks AS n WHERE n.influencer_id = listed_influencers.influencer_id)",
        )
        job.say(
            "influencers", "platform", "platform_of_posts", "note", found,
            f"{staged.source.label} has no column for platform: for {text(found, Unit.COUNT)} of {text(people, Unit.COUNT)} "
            "influencers the network was taken that most of their posts name, or of their orders where posts name none.",
        )  # fmt: skip
    if found < people:
        rest = people - found
        job.say(
            "influencers", "platform", "platform_missing", "warning", rest,
            f"{staged.source.label} has no column for platform, and nothing else says it of {text(rest, Unit.COUNT)} of "
            f"{text(people, Unit.COUNT)} influencers: by platform, what they sold and were paid is unassigned. Add a column "
            "'platform'.",
        )  # fmt: skip


def _fill(job: Job, table: str, platform: str) -> None:
    """Put what was found in place of the platform of a table."""
    job.con.execute(f"ALTER VIEW table_{table} RENAME TO listed_{table}")
    job.view(f"table_{table}", f"SELECT * REPLACE ({platform} AS platform) FROM listed_{table}")
    job.found[table] = {*job.found[table], "platform"}
