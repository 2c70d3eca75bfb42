"""payments_take_notice: the usual end of a notice (notices/receiving.py) as a function, whose plan a connection keeps.

Planning this statement took half of the processor time of PostgreSQL for a notice. `any_body` says that another body
under the same key is the same event. No row means that another transaction has stored the event since we began.
"""

from django.db import migrations

TAKE = """
CREATE FUNCTION payments_take_notice(
    in_request bigint, in_account bigint, in_key text, in_kind text, in_order text, in_payment text, in_amount bigint,
    in_occurred timestamptz, in_depositor text, in_proven boolean, in_fields jsonb, in_hash bytea, in_at timestamptz,
    in_status integer, in_milliseconds integer, in_any_body boolean, in_channel text
) RETURNS TABLE (out_reason text, out_notice bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH fresh AS (
        INSERT INTO payments_pgnotice (account_id, event_key, kind, order_ref, payment_ref, amount, occurred_at,
            depositor, is_proven, fields, body_hash, received_at, due_at, state, reason, attempts, claim, last_error)
        VALUES (in_account, in_key, in_kind, in_order, in_payment, in_amount, in_occurred, in_depositor, in_proven,
            in_fields, in_hash, in_at, in_at, 'RECEIVED', '', 0, 0, '')
        ON CONFLICT (account_id, event_key) DO NOTHING RETURNING id),
    known AS (
        SELECT id FROM payments_pgnotice
        WHERE account_id = in_account AND event_key = in_key AND (in_any_body OR body_hash = in_hash)),
    verdict AS (
        SELECT id, '' AS reason FROM fresh UNION ALL SELECT id, 'duplicate' FROM known),
    told AS (
        SELECT pg_notify(in_channel, '') FROM fresh),
    written AS (
        UPDATE payments_pgrequest r
        SET status = in_status, reason = v.reason, notice_id = v.id, milliseconds = in_milliseconds
        FROM verdict v WHERE r.id = in_request RETURNING r.reason, r.notice_id)
    SELECT w.reason::text, w.notice_id FROM written w LEFT JOIN told ON true;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_window_accounts")]

    operations = [migrations.RunSQL(TAKE, "DROP FUNCTION payments_take_notice")]
