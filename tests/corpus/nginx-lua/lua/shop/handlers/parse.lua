return function()
    local lpeg = require "lpeg"
    ngx.req.read_body()
    local number = lpeg.R "09" ^ 1 / tonumber
    local sum = lpeg.Cf(number * (lpeg.P "+" * number) ^ 0, function(a, b) return a + b end)
    ngx.say(sum:match(ngx.req.get_body_data() or "") or "no sum")
end
