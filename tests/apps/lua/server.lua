local socket = require("socket")

local function content(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function in_order(lines)
  local list = {}
  for line in assert(io.popen("printf '%s\\n' " .. table.concat(lines, " ") .. " | sort")):lines() do
    list[#list + 1] = line
  end
  return list
end

local wares = in_order({ "tongs", "anvil", "hammer" })

local routes = {
  ["/"] = function() return "The smithy sells " .. table.concat(wares, ", ") .. ".\n" end,
  ["/prices"] = function() return require("smithy.prices").list(wares) end,
  ["/tools"] = function() return require("smithy").name end,
  ["/page"] = function() return (content("templates/page.html"):gsub("{wares}", tostring(#wares))) end,
  ["/terms.html"] = function() return content("/opt/smithy/public/terms.html") end,
  ["/settings"] = function() return require("cjson").decode(content("settings.json")).owner end,
  ["/localtime"] = function() return os.date("%Y-%m-%d %H:%M %Z", 0) end,
  ["/locale"] = function() return tostring(os.setlocale("C.UTF-8", "ctype")) end,
  ["/trust"] = function()
    local _, count = content("/etc/ssl/certs/ca-certificates.crt"):gsub("BEGIN CERTIFICATE", "")
    return tostring(count > 0)
  end,
  ["/packed"] = function()
    local zlib = require("zlib")
    return tostring(#zlib.inflate()(zlib.deflate()(("iron "):rep(1000), "finish")))
  end,
  ["/base64"] = function() return (require("mime").b64("iron")) end,
  ["/url"] = function() return require("socket.url").parse("http://example.org:81/x").port end,
  ["/stock"] = function()
    local base = require("luasql.sqlite3").sqlite3():connect(":memory:")
    base:execute("create table stock (name text)")
    base:execute("insert into stock values ('iron')")
    return base:execute("select upper(name) from stock"):fetch()
  end,
  ["/files"] = function()
    local names = {}
    for name in require("lfs").dir("public") do
      names[#names + 1] = name
    end
    table.sort(names)
    return table.concat(names, " ")
  end,
  ["/rules"] = function() return tostring(dofile("rules.lua").open) end,
  ["/sorted"] = function() return table.concat(in_order({ "zinc", "copper", "iron" }), " ") end,
  ["/broken"] = function() error("broken") end,
}

local function answer(path)
  local plugin = path:match("^/export/(%l+)$")
  local action = plugin and function() return require("smithy.export." .. plugin)(wares) end or routes[path]
  if not action then
    return "404 Not Found", content("templates/404.html")
  end
  local done, body = pcall(action)
  if done then
    return "200 OK", tostring(body)
  end
  io.stderr:write(tostring(body), "\n")
  return "500 Internal Server Error", content("templates/500.html")
end

local server = assert(socket.bind("*", 8080))
while true do
  local client = server:accept()
  client:settimeout(5)
  local path = (client:receive() or ""):match("^GET (%S+)")
  repeat
    local line = client:receive()
  until not line or line == ""
  if path then
    local status, body = answer(path)
    client:send("HTTP/1.1 " .. status .. "\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body)
  end
  client:close()
end
