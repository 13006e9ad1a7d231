local cjson = require "cjson.safe"

local api = {}

function api.index()
    ngx.header.content_type = "application/json"
    ngx.say(cjson.encode({ "shop", _VERSION }))
end

return api
