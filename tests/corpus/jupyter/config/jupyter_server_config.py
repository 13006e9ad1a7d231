"""The server's configuration, for Lab and Notebook alike."""
import os

from team_hub.hooks import clean_before_save, script_after_save

c = get_config()  # noqa: F821
load_subconfig("jupyter_nbconvert_config.py")  # noqa: F821

c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = "/home/team/work"
c.ServerApp.allow_remote_access = True
c.ServerApp.shutdown_no_activity_timeout = 0
c.ServerApp.terminals_enabled = True
c.ServerApp.max_body_size = 64 * 1024 * 1024
c.ServerApp.tornado_settings = {
    "headers": {"Content-Security-Policy": "frame-ancestors 'self'"},
}
c.IdentityProvider.token = os.environ.get("TEAM_TOKEN", "")
c.IdentityProvider.cookie_name = "team-jupyter"

c.ContentsManager.allow_hidden = False
c.FileContentsManager.delete_to_trash = False
c.FileContentsManager.use_atomic_writing = True
c.FileContentsManager.pre_save_hook = clean_before_save
c.FileContentsManager.post_save_hook = script_after_save

c.MappingKernelManager.cull_idle_timeout = 3600
c.MappingKernelManager.cull_interval = 300
c.KernelSpecManager.ensure_native_kernel = True

c.LabApp.collaborative = False
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
