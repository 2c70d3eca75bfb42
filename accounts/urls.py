"""Addresses of log-in, one's own page, staff and access log."""

from django.urls import path

from accounts.views import access_log, me, session, staff

app_name = "accounts"
urlpatterns = [
    path("login/", session.LoginView.as_view(), name="login"),
    path("logout/", session.LogoutView.as_view(), name="logout"),
    path("invitation/<str:uid>/<str:token>/", session.InvitationView.as_view(), name="invitation"),
    path("me/", me.MyPage.as_view(), name="me"),
    path("me/password/", me.MyPasswordView.as_view(), name="password"),
    path("me/preferences/", me.PreferencesView.as_view(), name="preferences"),
    path("staff/", staff.StaffList.as_view(), name="staff"),
    path("staff/invite/", staff.InviteView.as_view(), name="invite"),
    path("staff/<int:pk>/", staff.StaffDetail.as_view(), name="staff_detail"),
    path("staff/<int:pk>/role/", staff.ChangeRole.as_view(), name="change_role"),
    path("staff/<int:pk>/disable/", staff.Disable.as_view(), name="disable"),
    path("staff/<int:pk>/enable/", staff.Enable.as_view(), name="enable"),
    path("staff/<int:pk>/end-sessions/", staff.EndSessions.as_view(), name="end_sessions"),
    path("staff/<int:pk>/unlock/", staff.Unlock.as_view(), name="unlock"),
    path("staff/<int:pk>/link/", staff.MakeLink.as_view(), name="make_link"),
    path("access-log/", access_log.AccessLogPage.as_view(), name="access_log"),
]
