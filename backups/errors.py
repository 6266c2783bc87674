"""What can go wrong underneath a backup or a restore. Knows no Django."""


class EngineFailed(Exception):
    """The work stopped, and the operator has to know why; never shown to customers.

    ``code`` is stable and safe to store anywhere. ``advice`` is a sentence for operators that names
    what to do. ``detail`` may hold the tool's own words and object names: it goes to the attempt's
    log only.
    """

    code = "engine-failed"
    advice = "Look at the attempt's log, mend the cause, and resume the job."

    def __init__(self, detail: str = "", *, advice: str = "") -> None:
        super().__init__(detail or self.advice)
        self.detail = detail
        if advice:
            self.advice = advice


class StorageUnavailable(EngineFailed):
    """The object storage did not answer for longer than an outage is waited out."""

    code = "storage-unavailable"
    advice = (
        "The object storage does not answer. Resume the job when it does; nothing fetched is lost."
    )


class CredentialsRefused(EngineFailed):
    """The object storage knows the request's author too little or not at all."""

    code = "credentials-refused"
    advice = (
        "The object storage refused the credentials. Correct the entry that the storage "
        "location names, then resume the job."
    )


class CredentialsMissing(EngineFailed):
    """The place that a row names for its credentials holds nothing usable."""

    code = "credentials-missing"
    advice = (
        "The credentials are not where the registration says. Put them there, then resume the job."
    )


class BucketMissing(EngineFailed):
    """The bucket is not there."""

    code = "bucket-missing"
    advice = (
        "The bucket of the storage location does not exist. Correct the location, "
        "then resume the job."
    )


class ObjectMissing(EngineFailed):
    """An object that the catalogue promised is not in the storage."""

    code = "object-missing"
    advice = (
        "An object of this backup is missing in the storage (the attempt's log names it). "
        "Bring it back and resume, or restore from another backup."
    )


class ObjectChanged(EngineFailed):
    """An object is not the one that the plan was made from."""

    code = "object-changed"
    advice = (
        "An object of this backup was replaced while it was being fetched. "
        "Nothing else writes to a finished backup: find out what did, then ask for a new restore."
    )


class ObjectDamaged(EngineFailed):
    """An object does not hold what was stored, also when fetched again."""

    code = "object-damaged"
    advice = (
        "An object of this backup is damaged in the storage (the attempt's log names it). "
        "Bring back a good copy and resume, or restore from another backup."
    )

    def __init__(self, detail: str = "", *, advice: str = "", key: str = "") -> None:
        """``key`` names the object, where it was found so while it was fetched."""
        super().__init__(detail, advice=advice)
        self.key = key


class DiskTooSmall(EngineFailed):
    """There is less room than the work needs."""

    code = "disk-too-small"
    advice = "There is too little free disk at the recovery target. Make room, then resume the job."


class DirectoryForeign(EngineFailed):
    """The target directory holds something that is not ours."""

    code = "directory-not-empty"
    advice = (
        "The directory to restore into is not empty, and this job did not fill it. "
        "Choose another recovery target, cancel the restore that filled it, or empty it yourself, "
        "then resume."
    )


class PortTaken(EngineFailed):
    """Something else listens on the recovery target's port."""

    code = "port-taken"
    advice = (
        "Another program uses the recovery target's port. Stop it or register another port, "
        "then resume the job."
    )


class BackupMissing(EngineFailed):
    """The archive holds no finished backup that serves."""

    code = "backup-missing"
    advice = (
        "There is no finished backup of this database in the storage. Take or copy one, "
        "then ask again."
    )


class TargetOutOfReach(EngineFailed):
    """The asked point lies before the first backup's end or after the last archived change."""

    code = "target-out-of-reach"


class ReplayStopped(EngineFailed):
    """PostgreSQL ended recovery before it was where it had to be; it did not promote."""

    code = "replay-stopped"
    advice = (
        "PostgreSQL stopped before it reached the target; nothing was promoted. "
        "Read the attempt's log, mend the cause, then resume the job."
    )


class VerificationFailed(EngineFailed):
    """What was restored is not what was asked for."""

    code = "verification-failed"
    advice = (
        "The restored cluster did not pass verification and was not opened. Read the attempt's log."
    )


class ToolMissing(EngineFailed):
    """A program that the engine needs is not installed where the settings say."""

    code = "tool-missing"
    advice = (
        "A program of the backup tool is missing. Install it or correct the setting, "
        "then resume the job."
    )


class ToolFailed(EngineFailed):
    """A program of the backup tool ended badly; its last words are in ``detail``."""

    code = "tool-failed"
    advice = (
        "The backup tool gave up; its last words are in the log of the attempt. "
        "Mend the cause, then try again."
    )


class ToolSilent(EngineFailed):
    """A program of the backup tool said and did nothing for too long, and was stopped."""

    code = "tool-silent"
    advice = (
        "The backup tool hung and was stopped. See whether the storage answers, then try again."
    )
