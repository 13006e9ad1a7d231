-- Answers a few addresses itself, and speaks the reader's language.
local path = lighty.env["uri.path"]
if path == "/lua" then
  lighty.header["Content-Type"] = "text/plain"
  lighty.content = { "hello from " .. _VERSION:sub(1, 3) .. "\n", { filename = "/var/www/html/docs/tea.txt" } }
  return 200
end
if path == "/hello.html" and (lighty.request["Accept-Language"] or ""):find("^de") then
  lighty.env["physical.path"] = "/var/www/html/de/hello.html"
end
