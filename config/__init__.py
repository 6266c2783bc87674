"""The roof: settings, addresses, the Celery application. Nobody imports it."""
