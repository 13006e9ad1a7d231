local lru = require("resty.lrucache").new(10)

return function()
    local n = (ngx.shared.hits:incr("n", 1, 0))
    lru:set("n", n)
    ngx.say(lru:get("n"), " ", ngx.re.gsub("a1b2", [[\d]], "#", "jo"), " ", require("ngx.base64").encode_base64url("??>"))
end
