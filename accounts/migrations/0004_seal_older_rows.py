"""Seals for the rows of the access log that were written before there were any."""

from django.db import migrations

SEAL = """
INSERT INTO accounts_accessseal (log_id, digest)
SELECT r.id, encode(sha256(convert_to(
    COALESCE(r.actor_id::text, '') || '|' || COALESCE(r.action::text, '') || '|' || COALESCE(r.agent_hash::text, '')
    || '|' || COALESCE(r.session_hash::text, '') || '|' || COALESCE(r.purpose::text, '')
    || '|' || COALESCE(r.row_count::text, '') || '|' || COALESCE(r.detail::text, '')
    || '|' || COALESCE(extract(epoch from r.at)::text, '') || '|' || COALESCE(host(r.ip), '')
    || '|' || COALESCE(array_to_string(r.subjects, ','), ''), 'UTF8')), 'hex')
FROM accounts_accesslog r
ON CONFLICT (log_id) DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_access_seals")]

    operations = [migrations.RunSQL(SEAL, migrations.RunSQL.noop)]
