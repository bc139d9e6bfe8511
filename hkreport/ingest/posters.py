"""Orders that name a post are credited to who posted it, where they name no influencer themselves."""

from collections.abc import Mapping

from hkreport.ingest import values
from hkreport.ingest.check import MOST_EXAMPLES, Severity
from hkreport.ingest.job import Job, Rule
from hkreport.ingest.links import PostIndex, shown_as
from hkreport.ingest.stage import Staged
from hkreport.ingest.texts import Lookup, Spelling

__all__ = ["credit_posts", "known_posts"]

KEYS = ("post_id", "url")


def known_posts(job: Job, becomes: Mapping[str, str | None] | None = None) -> PostIndex | None:
    """Who posted what, with influencers as the posts spell them, or as what each `becomes`; None without posts."""
    staged = job.staged.get("posts")
    if staged is None or not any(staged.has(key) for key in KEYS):
        return None
    columns = ", ".join(key if staged.has(key) else f"NULL AS {key}" for key in KEYS)
    found = job.rows(
        f"SELECT DISTINCT {columns}, influencer_id FROM read_posts WHERE mark IS NULL AND influencer_id IS NOT NULL"
    )
    spelt = becomes or {}
    return PostIndex.of((post, url, spelt.get(who) or who) for post, url, who in found)


def credit_posts(
    work: Spelling, staged: Staged, replaced: Mapping[str, str], joins: list[str]
) -> str:
    """SQL for the influencer of an order, through its post where it names none itself; empty without posts."""
    job = work.job
    if not staged.has("post_id"):
        return ""
    index = known_posts(job, work.changes.get(("posts", "influencer_id")))
    if index is None:
        return ""
    posts = {
        raw: index.find(post) for raw, post in work.raws["tracking", "post_id"].items() if post
    }
    alone = [(raw, min(found)) for raw, found in posts.items() if len(found) == 1]
    own = replaced.get("influencer_id", "NULL::VARCHAR")
    raw = "r.raw_influencer_id" if staged.has("influencer_id") else "NULL::VARCHAR"
    _tell(work, staged, posts, f"SELECT r.row, r.raw_post_id AS post, {own} AS own, {values.text(raw)} AS said "
                               f"FROM read_tracking AS r{''.join(joins)} WHERE r.mark IS NULL")  # fmt: skip
    lookup = Lookup.of(job, "post_tracking", ("tracking", "post_id"), alone)
    joins.append(lookup.join("r.raw_post_id"))
    poster = lookup.value("r.raw_post_id")
    # A word such as 'none' in the column of the influencers is an answer, too.
    return f"coalesce({own}, CASE WHEN {values.text(raw)} IS NULL THEN {poster} END)"


def _tell(work: Spelling, staged: Staged, posts: Mapping[str, set[str]], orders: str) -> None:
    """Count the orders that were credited, and those whose post is unknown, of several, or of another influencer."""
    job = work.job
    source, place = staged.source, staged.match.places["post_id"]
    column, file = source.headers[place], job.staged["posts"].source.label
    rows: dict[str, list[tuple[int, int, str]]] = {
        each: [] for each in ("credited", "unknown", "several", "disagree")
    }
    for post, own, said, count, row in job.rows(
        f"SELECT post, own, said IS NOT NULL, count(*), min(row) FROM ({orders}) WHERE post IS NOT NULL GROUP BY 1, 2, 3"
    ):
        found = posts.get(post)
        if found is None:
            continue  # an empty cell
        if own is not None or said:
            kind = "disagree" if own is not None and found and own not in found else ""
        else:
            kind = ("unknown", "credited")[len(found)] if len(found) < 2 else "several"
        if kind:
            shown = shown_as(post) if own is None else f"{own}, {shown_as(post)}"
            rows[kind].append((int(row), int(count), shown))
    none = "tracking: {count} {rows} without an influencer {have} a post " + f"('{column}')"
    words: Mapping[str, tuple[str, Severity, str]] = {
        "credited": ("post_named", "note", f"{none} of {file}; who posted it was taken for the influencer"),
        "unknown": ("unknown_post", "warning", "tracking: {count} {rows} without an influencer {have} a text in " + f"'{column}' "
                    f"that names no post of {file}, so nobody is credited"),
        "several": ("shared_post", "warning", f"{none} that {file} lists for several influencers, so nobody is credited"),
        "disagree": ("post_disagrees", "warning", "tracking: {count} {rows} {have} another influencer than " f"{file} has "
                     f"for the post ('{column}'); the influencer of the row was taken"),
    }  # fmt: skip
    totals = {kind: sum(count for _, count, _ in found) for kind, found in rows.items()}
    if totals["credited"] or not staged.has("influencer_id"):
        job.derived["posts_named"] = {"column": column, **totals}
    for kind, (name, severity, told) in words.items():
        if totals[kind]:
            some = [(row, shown) for row, _, shown in sorted(rows[kind])[:MOST_EXAMPLES]]
            job.report(
                "tracking", Rule(name, "post_id", severity, "", "", told), totals[kind], some
            )
