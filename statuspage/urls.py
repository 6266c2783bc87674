"""Addresses that need Django: leaving the list of followers, and the page's rooms at the desk."""

from django.urls import path

from statuspage import views

app_name = "statuspage"
urlpatterns = [
    path("unsubscribe/<str:token>", views.unsubscribe, name="unsubscribe"),
    path("desk/page/", views.edit_page, name="page-settings"),
    path("desk/subscribers/", views.list_subscribers, name="subscriber-list"),
    path("desk/subscribers/<int:pk>/remove/", views.remove_subscriber, name="subscriber-remove"),
]
