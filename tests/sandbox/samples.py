"""Questions to the courier sandbox and payload 8.1 of shipping.md as a timeline."""

CJ = "kr.cjlogistics"
TRACK = """
query Track($carrier: ID!, $number: ID!, $first: Int, $after: String) {
  track(carrierId: $carrier, trackingNumber: $number) {
    trackingNumber
    lastEvent { time status { code name } description }
    events(first: $first, after: $after) {
      edges { cursor node { ...event } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
fragment event on TrackEvent {
  time status { code name } location { countryCode postalCode name } description
}
"""
PAYLOAD_8_1 = [
    {
        "at": "2026-11-20T18:05:00+09:00",
        "code": "AT_PICKUP",
        "name": "집화처리",
        "description": "상품 인수",
        "place": "경기테스트",
    },
    {
        "at": "2026-11-20T22:41:10+09:00",
        "code": "IN_TRANSIT",
        "name": "간선상차",
        "description": "배송지역으로 이동 중",
        "place": "옥천HUB",
    },
]


def ask(tracker, number, *, carrier=CJ, first=20, after=None):
    status, answer = tracker.graphql(TRACK, carrier=carrier, number=number, first=first, after=after)
    assert status == 200
    return answer


def codes(answer):
    return [edge["node"]["status"]["code"] for edge in answer["data"]["track"]["events"]["edges"]]
