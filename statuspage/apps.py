from django.apps import AppConfig


class StatusPageConfig(AppConfig):
    name = "statuspage"

    def ready(self) -> None:
        # Imported here, because models are not ready before; connecting is the import's effect.
        from statuspage import receivers  # noqa: F401, PLC0415
