"""Small feeds for tests, and the real one. Not a test."""

from collections.abc import Mapping
from pathlib import Path

JPY = {"JPY": 1}
CNY = {"CNY": 100}

MINIMAL: Mapping[str, str] = {
    "agency.txt": "agency_id,agency_name,agency_timezone\nA,公交,Asia/Shanghai\n",
    "stops.txt": (
        "stop_id,stop_name,stop_lat,stop_lon,zone_id\n"
        "s1,城头,35.1,117.4,z1\ns2,凫城,35.1,117.4,z2\ns3,徐庄,35.1,117.4,z3\n"
    ),
    "routes.txt": "route_id,agency_id,route_short_name,route_type\nL1,A,1路,3\nL2,A,2路,3\n",
    "trips.txt": "route_id,service_id,trip_id\nL1,day,t1\nL2,day,t2\n",
    "stop_times.txt": (
        "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
        "t1,07:00:00,07:00:00,s1,1\nt1,07:10:00,07:10:00,s2,2\nt1,07:20:00,07:20:00,s3,3\n"
        "t2,08:00:00,08:00:00,s3,1\nt2,08:10:00,08:10:00,s1,2\n"
    ),
    "calendar.txt": (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        "day,1,1,1,1,1,0,0,20260101,20261231\n"
    ),
    "fare_attributes.txt": (
        "fare_id,price,currency_type,payment_method,transfers,transfer_duration\n"
        "f1,1.00,CNY,0,0,\nf2,2.00,CNY,0,0,\nf3,3.50,CNY,0,,3600\n"
    ),
    "fare_rules.txt": (
        "fare_id,route_id,origin_id,destination_id,contains_id\n"
        "f1,L1,z1,z2,\nf2,L1,z1,z3,\nf1,L1,z2,z3,\nf3,L2,,,\n"
    ),
}


def minimal(**changed: str | None) -> dict[str, bytes]:
    """The minimal feed; ``stops="…"`` replaces stops.txt, ``stops=None`` leaves it out."""
    texts = dict(MINIMAL)
    for name, text in changed.items():
        if text is None:
            texts.pop(f"{name}.txt", None)
        else:
            texts[f"{name}.txt"] = text
    return {name: text.encode() for name, text in texts.items()}


PRODUCTS: Mapping[str, str] = {
    "networks.txt": "network_id,network_name\ntown,城区\nrural,城乡\n",
    "route_networks.txt": "network_id,route_id\ntown,L1\nrural,L2\n",
    "areas.txt": "area_id\ncore\nouter\n",
    "stop_areas.txt": "area_id,stop_id\ncore,s1\nouter,s2\nouter,s3\n",
    "timeframes.txt": "timeframe_group_id,start_time,end_time,service_id\n",
    "rider_categories.txt": (
        "rider_category_id,rider_category_name,is_default_fare_category\n"
        "adult,成人,1\nstudent,学生,0\n"
    ),
    "fare_media.txt": "fare_media_id,fare_media_name,fare_media_type\ncash,现金,0\ncard,卡,2\n",
    "fare_products.txt": (
        "fare_product_id,fare_product_name,rider_category_id,fare_media_id,amount,currency\n"
        "single,单程,adult,cash,3.00,CNY\nsingle,单程,adult,card,2.50,CNY\n"
        "single,单程,student,card,1.50,CNY\nlong,城乡,,,5.00,CNY\nchange,换乘,,,1.00,CNY\n"
        "rebate,换乘优惠,,,-1.00,CNY\n"
    ),
    "fare_leg_rules.txt": (
        "leg_group_id,network_id,from_area_id,to_area_id,from_timeframe_group_id,"
        "to_timeframe_group_id,fare_product_id\n"
        "t,town,,,,,single\nr,rural,,,,,long\n"
    ),
    "fare_leg_join_rules.txt": "from_network_id,to_network_id,from_stop_id,to_stop_id\n",
    "fare_transfer_rules.txt": (
        "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
        "fare_transfer_type,fare_product_id\n"
        "t,r,,3600,1,0,change\n"
    ),
}


def with_products(**changed: str | None) -> dict[str, bytes]:
    """The minimal feed with the newer fares beside the old; ``changed`` as in ``minimal``."""
    texts = {name.removesuffix(".txt"): text for name, text in PRODUCTS.items()}
    return minimal(**(texts | changed))


def real_files(test_data: Path) -> dict[str, bytes]:
    """The files of the real feed."""
    return {path.name: path.read_bytes() for path in (test_data / "bus/donan_gtfs").iterdir()}
