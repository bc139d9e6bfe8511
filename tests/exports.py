"""A small folder of exports, written as a person's files would be, for tests from the outside."""

from pathlib import Path

INFLUENCERS = """id,name,category,gender,followers,platform
1,Asha Rao,Fitness,Female,1250000,Instagram
2,Dev <b>Mehta</b>,Nutrition,Male,84000,YouTube
3,Kiran $x$ #1,Fitness,Other,9000,Instagram
4,Unpaid Person,Wellness,Female,45000,Twitter
"""
POSTS = """post_id,influencer_id,platform,date,caption,reach,likes,comments,brand
P1,1,Instagram,2025-04-03,Morning #HKVitals,400000,9000,300,HKVitals
P2,1,Instagram,2025-05-09,"Two lines
of text",380000,8000,280,Gritzo
P3,2,YouTube,2025-04-20,Whey? Why not,60000,2500,190,HKVitals
P4,3,Instagram,2025-06-11,=1+1,4000,300,20,HKVitals
"""
TRACKING = """tracking_id,source,campaign,influencer_id,user_id,brand,product,date,orders,revenue
T1,influencer,HKV_Glow,1,u1,HKVitals,Biotin,2025-04-05,3,1950
T2,influencer,HKV_Glow,1,u2,HKVitals,Collagen,2025-05-15,2,2600
T3,influencer,GZ_Kids,1,u3,Gritzo,SuperMilk,2025-05-20,4,2000
T4,influencer,HKV_Glow,2,u4,HKVitals,Biotin,2025-04-25,5,3250
T5,influencer,HKV_Glow,3,u5,HKVitals,Omega 3,2025-06-30,1,800
T6,influencer,HKV_Glow,4,u6,HKVitals,Omega 3,2025-06-28,1,700
T7,organic,,,u7,HKVitals,Biotin,2025-04-02,2,1300
T8,organic,,,u8,Gritzo,SuperMilk,2025-06-29,1,500
"""
PAYOUTS = """influencer_id,basis,rate,orders,total_payout
1,post,1000,,2000
2,order,150,5,750
3,post,500,,500
"""


def write(folder: Path, **changed: str) -> Path:
    """Write the four exports into a folder; `changed` replaces one of them, an empty text leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "influencers": INFLUENCERS,
        "posts": POSTS,
        "tracking": TRACKING,
        "payouts": PAYOUTS,
    } | changed
    for name, content in texts.items():
        if content:
            (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder
