"""The unified audit log of Microsoft 365, in its four shapes and as Microsoft Graph gives it.

Management Activity API (JSON), ``Search-UnifiedAuditLog`` and the portal (CSV or JSON with a column
``AuditData``), ``OfficeActivity`` of Sentinel (other names, texts for lists), ``CloudAppEvents`` of Defender
(``RawEventData``), and ``auditLogRecord`` of Graph (``auditData``). One record has one ``record_id`` in all.
Schema: https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
"""

from immure.detections.sources.m365.audit import M365Audit

__all__ = ["M365Audit"]
