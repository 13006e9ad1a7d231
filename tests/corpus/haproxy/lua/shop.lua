core.register_action("tag", { "http-req" }, function(txn)
    txn.http:req_set_header("x-tag", "lua")
end)

core.register_service("sum", "http", function(applet)
    local body = applet:receive()
    local sum = 0
    for number in body:gmatch("%d+") do sum = sum + tonumber(number) end
    local socket = core.tcp()
    socket:connect("127.0.0.1", 8080)
    socket:send("GET /convert HTTP/1.0\r\n\r\n")
    local line = socket:receive("*l")
    applet:set_status(200)
    applet:add_header("content-type", "text/plain")
    applet:start_response()
    applet:send(sum .. " " .. applet.headers["x-tag"][0] .. " " .. line .. "\n")
end)
