"""송장 채번: where waybill numbers come from. Source: shipping.md 5.2, 5.3.

Seven ways lead to a number, and all end in `services.numbers.waybills.register_waybills`, which alone writes the parcel
(further boxes of a shipment, `extra.add_box`, get theirs in `services.numbers.boxes.number_box`):

A  range (RANGE)                    `issue_waybills`: a block of the range, at once
B  courier API, one call each       `issue_waybills` asks, `sending` allocates, registers and writes (우체국, CJ)
C  courier API, batches             the same; `WaybillIssuer.most_per_call` boxes of one call (한진)
D  the courier's Windows program    양식 내려받기 and 송장 엑셀 올리기
E  굿스플로                          the same, with its own template
F  files of other order systems     the same
G  typed or scanned                 the list and the packing bench
"""
