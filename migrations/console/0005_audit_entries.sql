-- An entry of the audit log as people read it, with those of its values that were not erased.
CREATE VIEW orderscope.audit_entries AS
SELECT a.number, a.operation, a.at, a.operator, a.host, a.role, a.login, a.intent, a.targets,
       r.value AS reason, b.value::json AS before, f.value::json AS after,
       (a.reason_digest IS NOT NULL AND r.number IS NULL
        OR a.before_digest IS NOT NULL AND b.number IS NULL
        OR a.after_digest IS NOT NULL AND f.number IS NULL) AS erased
FROM orderscope.audit a
LEFT JOIN orderscope.audit_values r ON r.number = a.number AND r.part = 'reason'
LEFT JOIN orderscope.audit_values b ON b.number = a.number AND b.part = 'before'
LEFT JOIN orderscope.audit_values f ON f.number = a.number AND f.part = 'after';
REVOKE ALL ON orderscope.audit_entries FROM PUBLIC;
