"""The only list of tables and columns: names, types, units, aliases and meaning.

Ingestion, templates, the simulator, the data dictionary and the error messages read this module; how a
value is recognised and cleaned belongs to :mod:`hkreport.ingest`.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "BASES",
    "CHANNELS",
    "GUIDE_FILE",
    "GUIDE_SHEET",
    "TABLES",
    "TOTALS",
    "Column",
    "Kind",
    "Table",
    "column",
    "fold",
]


class Kind(StrEnum):
    """How the text of a cell is read, and what it becomes."""

    ID = "id"  # text; 17.0 and 17 are the same id
    TEXT = "text"
    LABEL = "label"  # text with a few known spellings, such as a platform
    DATE = "date"
    TIMESTAMP = "timestamp"
    MONEY = "money"  # DECIMAL(18, 6) rupees
    NUMBER = "number"  # DECIMAL(18, 6), a count of something
    SHARE = "share"  # DECIMAL(18, 6), 0.12 for 12 %
    FLAG = "flag"  # true or false


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field that an export may hold.

    Attributes
    ----------
    name : str
        Canonical name, as templates and the ledger spell it.
    kind : Kind
        How a cell is read.
    meaning : str
        One sentence for the data dictionary and the templates.
    example : str
        A cell that loads without a note.
    unit : str
        What a number counts; empty for text.
    aliases : tuple of str
        Other headers that mean the same, compared after :func:`fold`; nearest in meaning first.
    required : bool
        Whether the table is unusable without the column.
    minimum : float or None
        The smallest value that is possible; a smaller one is quarantined.
    """

    name: str
    kind: Kind
    meaning: str
    example: str
    unit: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False
    minimum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One export: what a row is, how its file is called, and its columns.

    Attributes
    ----------
    name : str
        Canonical name, plural.
    grain : str
        What one row stands for.
    meaning : str
        One sentence on what the table brings to the report.
    file_words : tuple of str
        Words in a file or sheet name that point to this table, singular and folded.
    key : tuple of str
        Columns that tell two rows apart where they are filled; empty if rows may repeat.
    columns : tuple of Column
    """

    name: str
    grain: str
    meaning: str
    file_words: tuple[str, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that the table cannot do without."""
        return tuple(each.name for each in self.columns if each.required)

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names in order."""
        return tuple(each.name for each in self.columns)


def fold(text: object) -> str:
    """Reduce a header, file name or label to lower-case letters and digits.

    Examples
    --------
    >>> fold(" Follower_Count "), fold("Influencer ID"), fold("HK Vitals")
    ('followercount', 'influencerid', 'hkvitals')
    """
    return _fold(str(text))


@functools.lru_cache(maxsize=20_000)
def _fold(text: str) -> str:
    return re.sub(r"[^\w]|_", "", unicodedata.normalize("NFKC", text).casefold())


def _id(name: str, meaning: str, example: str, *aliases: str, required: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.ID,
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
    )


def _text(name: str, meaning: str, example: str, *aliases: str, required: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.TEXT,
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
    )


def _label(name: str, meaning: str, example: str, *aliases: str, required: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.LABEL,
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
    )


def _number(
    name: str,
    unit: str,
    meaning: str,
    example: str,
    *aliases: str,
    required: bool = False,
) -> Column:
    return Column(
        name=name,
        kind=Kind.NUMBER,
        unit=unit,
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
        minimum=0.0,
    )


def _money(name: str, meaning: str, example: str, *aliases: str, required: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.MONEY,
        unit="₹",
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
    )


def _signed_number(
    name: str,
    unit: str,
    meaning: str,
    example: str,
    *aliases: str,
    required: bool = False,
) -> Column:
    """A count that a return may make negative."""
    return Column(
        name=name,
        kind=Kind.NUMBER,
        unit=unit,
        meaning=meaning,
        example=example,
        aliases=aliases,
        required=required,
    )


def _influencer_id(meaning: str, *aliases: str, required: bool = False) -> Column:
    return _id(
        "influencer_id",
        meaning,
        "INF_001",
        "influencer",
        "influencerno",
        "infid",
        "creatorid",
        "creator",
        "kolid",
        "influencercode",
        "influencerkey",
        "influencername",
        "influencerhandle",
        "creatorname",
        "creatorhandle",
        "handle",
        "affiliateid",
        "affiliate",
        "affiliatename",
        "partnerid",
        "mediapartnerid",
        "mediapartnername",
        "accountusername",
        "attributedinfluencer",
        "attributedinfluencerid",
        "influencerusername",
        "publisherid",
        "partnername",
        "publishername",
        "kolname",
        *aliases,
        required=required,
    )


_BRAND = _label(
    "brand",
    "Brand the row belongs to.",
    "HKVitals",
    "brands",
    "brandname",
    "brandid",
    "client",
)
_PRODUCT = _text(
    "product",
    "Product as the shop names it.",
    "Biotin Gummies",
    "productname",
    "products",
    "producttitle",
    "itemname",
    "itemtypename",
    "item",
    "sku",
    "productsku",
    "lineitemname",
)
_PRODUCT_CATEGORY = _label(
    "product_category",
    "Category of the product.",
    "Wellness",
    "productcategory",
    "producttype",
)
_CAMPAIGN = _text(
    "campaign",
    "Campaign as the team names it.",
    "HKV_Glow_Q2",
    "campaignname",
    "campaignid",
    "campaigns",
    "campaigntitle",
    "utmcampaign",
    "sessioncampaign",
)
_CAMPAIGN_TYPE = _label(
    "campaign_type",
    "Kind of campaign, or the arm a row was said to be in.",
    "Launch",
    "campaigntype",
    "testcontrol",
    "testgroup",
)
_PLATFORM = _label(
    "platform",
    "Social network.",
    "Instagram",
    "socialplatform",
    "network",
    "socialmedia",
    "primaryplatform",
    "channelname",
    "platformname",
    "socialmediaplatform",
    "socialnetwork",
    "mainplatform",
)


def _date(name: str, meaning: str, *aliases: str, required: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.DATE,
        meaning=meaning,
        example="2025-06-14",
        aliases=aliases,
        required=required,
    )


INFLUENCERS = Table(
    name="influencers",
    grain="influencer",
    meaning="Who is paid: name, platform, followers, category.",
    file_words=("influencer", "creator", "kol"),
    key=("influencer_id",),
    columns=(
        _id(
            "influencer_id",
            "Id that posts, tracking and payouts use for this influencer.",
            "INF_001",
            "id",
            "influencer",
            "influencerno",
            "infid",
            "creatorid",
            "affiliateid",
            "partnerid",
            "kolid",
            "influencercode",
            "influencerkey",
            "publisherid",
            required=True,
        ),
        _text(
            "name",
            "Name as it should appear in the report.",
            "Asha Rao",
            "influencername",
            "fullname",
            "creatorname",
            "influencerfullname",
            "displayname",
            "affiliatename",
            "partnername",
            "publishername",
            "kolname",
            "creator",
            "creatorhandle",
            "influencerhandle",
            "handle",
            "username",
            "influencerusername",
            "channelname",
            required=True,
        ),
        Column(
            name="platform",
            kind=Kind.LABEL,
            meaning="Network the influencer is known for; posts may be elsewhere.",
            example="Instagram",
            aliases=(*_PLATFORM.aliases, "channel"),
            required=True,
        ),
        _label(
            "category",
            "What the influencer talks about.",
            "Fitness",
            "niche",
            "influencercategory",
            "genre",
            "vertical",
            "contentcategory",
        ),
        _label("gender", "Gender as the export gives it.", "Female", "sex"),
        _number(
            "follower_count",
            "followers",
            "Followers at the time of the export.",
            "125000",
            "followers",
            "followerscount",
            "followercounts",
            "numfollowers",
            "nooffollowers",
            "subscribers",
            "subscribercount",
            "audiencesize",
            "followerbase",
            "numberoffollowers",
            "totalfollowers",
        ),
        _label(
            "tier",
            "Size class given by the export; the report computes its own from followers.",
            "macro",
            "influencertier",
            "tiername",
            "sizetier",
        ),
        _label("persona", "Persona the team uses.", "Fitness × Female", "influencerpersona"),
        _label("city", "City of the influencer.", "Pune", "location", "town"),
        _label(
            "age_group",
            "Age band of the influencer.",
            "25-34",
            "age",
            "agerange",
            "ageband",
        ),
        Column(
            name="engagement_rate_baseline",
            kind=Kind.SHARE,
            unit="share",
            meaning="Engagement rate the platform states, as a share.",
            example="0.034",
            aliases=(
                "engagementrate",
                "avgengagementrate",
                "baselineengagementrate",
                "er",
            ),
            minimum=0.0,
        ),
        Column(
            name="conversion_rate_baseline",
            kind=Kind.SHARE,
            unit="share",
            meaning="Conversion rate assumed for the influencer, as a share.",
            example="0.012",
            aliases=("conversionrate", "baselineconversionrate", "cvr"),
            minimum=0.0,
        ),
    ),
)

POSTS = Table(
    name="posts",
    grain="post",
    meaning="What was published, when, and how many people it reached.",
    file_words=("post", "content", "media"),
    key=("post_id",),
    columns=(
        _influencer_id("Who posted.", "channelname", "username", required=True),
        _date(
            "date",
            "Day of the post.",
            "postdate",
            "publishedat",
            "postedon",
            "publishdate",
            "publisheddate",
            "posteddate",
            "postedat",
            "publishedon",
            "postingdate",
            "dateposted",
            "dateofpost",
            "dateofposting",
            "livedate",
            "golivedate",
            "postlivedate",
            "datepublished",
            "publicationdate",
            "liveon",
            "published",
            "uploaddate",
            "uploadedon",
            "uploadedat",
            "publishtime",
            "posttime",
            "videopublishtime",
            "timestamp",
            "datetime",
            "createdat",
            "createddate",
            "postcreateddate",
            "airdate",
            "releasedate",
            "uploadtime",
            "posted",
            "created",
            "uploaded",
            "time",
            required=True,
        ),
        _id(
            "post_id",
            "Id of the post.",
            "POST_00017",
            "id",
            "postid",
            "mediaid",
            "contentid",
            "videoid",
            "tweetid",
            "reelid",
        ),
        _PLATFORM,
        _text(
            "url",
            "Address of the post.",
            "https://example.org/p/17",
            "posturl",
            "link",
            "permalink",
            "postlink",
        ),
        _text(
            "caption",
            "Text of the post.",
            "Morning routine with #HKVitals",
            "captions",
            "text",
            "posttext",
            "description",
        ),
        _number(
            "reach",
            "people",
            "People reached by the post.",
            "42000",
            "postreach",
            "reached",
            "totalreach",
            "peoplereached",
            "accountsreached",
            "uniquereach",
            "actualreach",
            "reachcount",
        ),
        _number("impressions", "views", "Times the post was shown.", "61000", "impression"),
        _number(
            "views",
            "plays",
            "Plays of a video.",
            "38000",
            "videoviews",
            "plays",
            "viewcount",
        ),
        _number(
            "likes",
            "likes",
            "Likes so far.",
            "1800",
            "like",
            "likecount",
            "likescount",
            "totallikes",
            "nooflikes",
            "numberoflikes",
            "numlikes",
        ),
        _number(
            "comments",
            "comments",
            "Comments so far.",
            "95",
            "comment",
            "commentcount",
            "commentscount",
            "totalcomments",
            "noofcomments",
            "numberofcomments",
            "numcomments",
        ),
        _number("shares", "shares", "Shares so far.", "40", "share", "sharecount", "reposts"),
        _number("saves", "saves", "Saves so far.", "120", "save", "savecount", "bookmarks"),
        _number(
            "clicks",
            "clicks",
            "Link clicks.",
            "310",
            "click",
            "linkclicks",
            "clickcount",
        ),
        _BRAND,
        _PRODUCT,
        _PRODUCT_CATEGORY,
        Column(
            name="product_price",
            kind=Kind.MONEY,
            unit="₹",
            meaning="Price of the product that the post shows.",
            example="649",
            aliases=("price", "mrp", "sellingprice"),
            minimum=0.0,
        ),
        Column(
            name="product_margin",
            kind=Kind.SHARE,
            unit="share",
            meaning="Contribution margin of the product as a share of revenue.",
            example="0.52",
            aliases=("margin", "profitmargin", "marginpercent"),
        ),
        _CAMPAIGN,
        _CAMPAIGN_TYPE,
        _label(
            "content_type",
            "Format of the post.",
            "Reel",
            "posttype",
            "contenttype",
            "format",
            "mediatype",
            "contentformat",
        ),
    ),
)

TRACKING = Table(
    name="tracking",
    grain="order, or a sum of orders",
    meaning="What was sold, when, and through whom.",
    file_words=(
        "tracking",
        "order",
        "sale",
        "conversion",
        "transaction",
        "attribution",
    ),
    key=("tracking_id",),
    columns=(
        _date(
            "date",
            "Day of the order.",
            "orderdate",
            "trackingdate",
            "transactiondate",
            "saledate",
            "purchasedate",
            "conversiondate",
            "convdate",
            "actiondate",
            "timestamp",
            "datetime",
            "createdat",
            "orderedat",
            "orderedon",
            "orderplacedon",
            "orderplacedat",
            "orderplaceddate",
            "ordertime",
            "ordercreatedat",
            "ordercreatedon",
            "ordercreated",
            "createddate",
            "createdon",
            "created",
            "bookingdate",
            "txndate",
            "orderdatetime",
            "eventdate",
            "dateoforder",
            "dateofpurchase",
            "dateofsale",
            "salesdate",
            "datecreated",
            "placeddate",
            "trackeddate",
            "attributiondate",
            "checkoutdate",
            "orderpurchasedate",
            "ordercreateddate",
            "orderplaced",
            "invoicedate",
            "day",
            "month",
            "monthstart",
            "week",
            "weekstart",
            "weekstarting",
            "weekbeginning",
            "weekcommencing",
            "weekof",
            required=True,
        ),
        _signed_number(
            "orders",
            "orders",
            "Orders in the row; negative for a return.",
            "1",
            "order",
            "ordercount",
            "numorders",
            "nooforders",
            "conversions",
            "totalorders",
            "totalconversions",
            "purchases",
            "transactions",
            "ordersgenerated",
            "ecommercepurchases",
            "noofconversions",
            "numberoforders",
            "ordersplaced",
            "attributedorders",
            "purchasecount",
            "countoforderid",
            "countoforders",
            "converted",
            "sales",
            required=True,
        ),
        _money(
            "revenue",
            "Revenue of the row as exported, in rupees.",
            "1299.00",
            "revenueinr",
            "revinr",
            "sale",
            "salesamount",
            "ordervalue",
            "orderamount",
            "totalrevenue",
            "gmv",
            "amount",
            "grossrevenue",
            "salevalue",
            "sales",
            "totalsales",
            "netsales",
            "grosssales",
            "salesvalue",
            "salesrevenue",
            "netrevenue",
            "orderrevenue",
            "totalordervalue",
            "totalamount",
            "conversionvalue",
            "purchaserevenue",
            "saleamount",
            "revenuegenerated",
            "attributedrevenue",
            "productsales",
            "totalproductsales",
            "attributedsales",
            "purchasevalue",
            "purchaseamount",
            "transactionamount",
            "transactionvalue",
            "totalprice",
            "ordertotal",
            "revenueamount",
            "value",
            "totalsellingprice",
            "linetotal",
            "lineamount",
            "itemtotal",
            "invoicevalue",
            "billamount",
            "billvalue",
            "finalamount",
            required=True,
        ),
        _id(
            "tracking_id",
            "Id of the row.",
            "TRK_000123",
            "id",
            "orderid",
            "orderno",
            "ordernumber",
            "trackid",
            "conversionid",
            "transactionid",
            "saleordercode",
            "displayordercode",
        ),
        _text(
            "source",
            "Where the order came from: organic, paid and influencer change the metrics.",
            "influencer",
            "trafficsource",
            "utmsource",
            "sessionsource",
            "sourcemedium",
            "sessionsourcemedium",
            "ordersource",
            "sourcetype",
        ),
        _CAMPAIGN,
        Column(
            name="incremental_flag",
            kind=Kind.FLAG,
            meaning="Whether the exporting system called the order incremental.",
            example="yes",
            aliases=("incremental", "isincremental"),
        ),
        _label(
            "city",
            "City of the customer.",
            "Jaipur",
            "customercity",
            "location",
            "region",
        ),
        _influencer_id("Whom the order is credited to; empty for organic orders."),
        _id(
            "post_id",
            "Post that brought the order, by id, address or short code; says who, where the influencer is missing.",
            "POST_00017",
            "postid",
            "mediaid",
            "contentid",
            "shortcode",
            "postshortcode",
            "posturl",
            "postlink",
            "permalink",
        ),
        _id(
            "user_id",
            "Pseudonymous customer id; never printed.",
            "U1000231",
            "userid",
            "customerid",
            "customer",
            "user",
            "buyerid",
        ),
        _BRAND,
        _PRODUCT,
        _PRODUCT_CATEGORY,
        _PLATFORM,
        _CAMPAIGN_TYPE,
        Column(
            name="attribution_score",
            kind=Kind.NUMBER,
            unit="score",
            meaning="Score that an earlier system gave; kept, not used.",
            example="0.8",
            aliases=("score",),
        ),
        _money(
            "profit",
            "Contribution of the row in rupees.",
            "520.00",
            "contribution",
            "grossprofit",
            "netprofit",
        ),
        _money(
            "returns",
            "Value that came back, in rupees.",
            "0",
            "returnvalue",
            "refund",
            "refunds",
        ),
        _money(
            "discount",
            "Discount given, in rupees.",
            "100.00",
            "discounts",
            "discountamount",
            "couponvalue",
        ),
        Column(
            name="is_new_customer",
            kind=Kind.FLAG,
            meaning="Whether this was the customer's first order.",
            example="no",
            aliases=(
                "newcustomer",
                "firstorder",
                "isnew",
                "newuser",
                "firsttimecustomer",
            ),
        ),
    ),
)

PAYOUTS = Table(
    name="payouts",
    grain="influencer, or any finer",
    meaning="What influencers are paid, and for what.",
    file_words=("payout", "payment", "paid", "commission", "cost", "spend"),
    key=("payout_id",),
    columns=(
        _influencer_id(
            "Who is paid.",
            "payeename",
            "payee",
            "beneficiaryname",
            "beneficiary",
            "contactname",
            required=True,
        ),
        _money(
            "total_payout",
            "What is paid in all, bonus included; negative for a refund.",
            "25000",
            "payout",
            "totalpayment",
            "paymentamount",
            "payoutamount",
            "amount",
            "totalamount",
            "payment",
            "amountpaid",
            "spend",
            "cost",
            "totalcost",
            "totalpaid",
            "payouttotal",
            "finalpayout",
            "netpayout",
            "totalpay",
            "totalpayable",
            "payable",
            "amountinr",
            "netpayable",
            "netamount",
            "amountpayable",
            "totalamountpaid",
            "payoutinr",
            "payoutvalue",
            "paidamount",
            "totalpaidamount",
            "amountdue",
            "influencerpayout",
            "compensation",
            "totalcompensation",
            "earnings",
            "totalearnings",
            "totalfee",
            "fee",
            "fees",
            "total",
            "grandtotal",
            "commercials",
            "totalcommercials",
            "finalcommercials",
            "agreedcommercials",
            "commercial",
            required=True,
        ),
        _id("payout_id", "Id of the payout.", "PAY_0004", "id", "paymentid", "invoiceid"),
        _label(
            "basis",
            "What is paid for: post, order or hybrid.",
            "post",
            "payouttype",
            "payoutbasis",
            "paymentbasis",
            "paymenttype",
            "type",
            "payouttypes",
            "payoutmodel",
            "paymentmodel",
            "compensationtype",
            "contracttype",
            "payoutmethod",
            "basistype",
            "dealtype",
            "model",
            "feetype",
        ),
        _money(
            "rate",
            "Rate per post or order; below 1 it is a share of revenue.",
            "2500",
            "payoutrate",
            "unitrate",
            "rateperunit",
            "commissionrate",
            "ratecard",
            "perunitrate",
            "amountperunit",
            "ratevalue",
            "rateamount",
            "costperpost",
            "feeperpost",
            "feeperorder",
            "commission",
            "rateperpost",
            "rateperorder",
            "costperorder",
        ),
        _signed_number(
            "orders",
            "orders",
            "Orders the payout is for.",
            "0",
            "ordercount",
            "numorders",
            "nooforders",
            "totalorders",
        ),
        _signed_number(
            "posts",
            "posts",
            "Posts the payout is for.",
            "10",
            "postscount",
            "postcount",
            "numposts",
            "noofposts",
            "totalposts",
        ),
        _BRAND,
        _CAMPAIGN,
        _date(
            "date",
            "Day the paid work was done.",
            "servicedate",
            "workdate",
            "servicemonth",
            "campaignmonth",
            "month",
        ),
        _money(
            "performance_bonus",
            "Bonus, already inside total_payout.",
            "0",
            "bonus",
            "bonusamount",
        ),
        _date(
            "invoice_date",
            "Day of the invoice or payment; does not say when the work was done.",
            "paymentdate",
            "paymentmonth",
            "paidmonth",
            "invoicemonth",
            "paiddate",
            "paidon",
            "invoicedon",
            "paymenton",
            "payoutdate",
            "payouton",
            "billdate",
            "paidat",
            "processedat",
            "processedon",
        ),
    ),
)

PRODUCTS = Table(
    name="products",
    grain="product",
    meaning="Price and margin of what is sold.",
    file_words=("product", "catalog", "catalogue", "sku"),
    key=("brand", "product"),
    columns=(
        Column(
            name="product",
            kind=Kind.TEXT,
            meaning="Product as tracking names it.",
            example="Biotin Gummies",
            aliases=("name", *_PRODUCT.aliases),
            required=True,
        ),
        _BRAND,
        Column(
            name="product_category",
            kind=Kind.LABEL,
            meaning=_PRODUCT_CATEGORY.meaning,
            example="Wellness",
            aliases=("category", *_PRODUCT_CATEGORY.aliases),
        ),
        Column(
            name="price",
            kind=Kind.MONEY,
            unit="₹",
            meaning="Selling price with tax, in rupees.",
            example="649",
            aliases=("productprice", "mrp", "sellingprice", "unitprice"),
            minimum=0.0,
        ),
        Column(
            name="margin",
            kind=Kind.SHARE,
            unit="share",
            meaning="Contribution margin as a share of revenue.",
            example="0.52",
            aliases=(
                "productmargin",
                "profitmargin",
                "marginpercent",
                "contributionmargin",
            ),
        ),
    ),
)

ASSIGNMENTS = Table(
    name="assignments",
    grain="experimental unit",
    meaning="Which unit was assigned to which arm of an experiment, at random.",
    file_words=("assignment", "experiment", "arm"),
    key=("unit_type", "unit_id"),
    columns=(
        _id(
            "unit_id",
            "Id of the unit: a user, a city, a campaign.",
            "U1000231",
            "unit",
            "userid",
            required=True,
        ),
        _label(
            "arm",
            "treatment or control.",
            "treatment",
            "group",
            "variant",
            "assignment",
            required=True,
        ),
        _label("unit_type", "What the unit is.", "user", "unittype"),
        _date("date", "Day of assignment.", "assignedon", "assignmentdate", "assignedat"),
        _label("stratum", "Stratum known before assignment.", "new", "strata", "segment"),
        _money(
            "pre_period_revenue",
            "Revenue of the unit before the experiment.",
            "1250.00",
            "preperiodrevenue",
            "prerevenue",
        ),
    ),
)

TOUCHPOINTS = Table(
    name="touchpoints",
    grain="touch",
    meaning="Which posts a customer saw or clicked, in order.",
    file_words=("touchpoint", "touch", "journey"),
    columns=(
        _id(
            "user_id",
            "Pseudonymous customer id; never printed.",
            "U1000231",
            "userid",
            "customerid",
            required=True,
        ),
        Column(
            name="timestamp",
            kind=Kind.TIMESTAMP,
            meaning="When the touch happened.",
            example="2025-06-14 18:05:00",
            aliases=("date", "datetime", "touchedat", "time"),
            required=True,
        ),
        _influencer_id("Whose post it was.", required=True),
        _id("post_id", "Which post it was.", "POST_00017", "postid"),
        _PLATFORM,
        _label(
            "touch",
            "view or click.",
            "click",
            "touchtype",
            "type",
            "event",
            "eventtype",
        ),
    ),
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        INFLUENCERS,
        POSTS,
        TRACKING,
        PAYOUTS,
        PRODUCTS,
        ASSIGNMENTS,
        TOUCHPOINTS,
    )
}

# What `check --json` sums, and over which column.
TOTALS: Mapping[str, tuple[str, str | None]] = {
    "orders": ("tracking", "orders"),
    "revenue": ("tracking", "revenue"),
    "spend": ("payouts", "total_payout"),
    "posts": ("posts", None),
    "reach": ("posts", "reach"),
    "likes": ("posts", "likes"),
    "comments": ("posts", "comments"),
}

# How an order came about; only `source` words that say so decide, never a platform or a link type.
CHANNELS = ("influencer", "organic", "paid", "unattributed")

BASES = ("post", "order", "hybrid")

# What the templates hold beside the tables: it may stay where they are filled in.
GUIDE_FILE = "COLUMNS.md"
GUIDE_SHEET = "Guide"


def column(table: str, name: str) -> Column:
    """Look up a column by table and canonical name.

    Raises
    ------
    KeyError
        If the table has no such column.

    Examples
    --------
    >>> column("payouts", "total_payout").unit
    '₹'
    """
    for each in TABLES[table]:
        if each.name == name:
            return each
    raise KeyError(f"{table}.{name}")
