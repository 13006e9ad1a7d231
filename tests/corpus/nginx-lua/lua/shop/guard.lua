local token = ngx.var.arg_token
if token ~= ngx.md5("open") then
    ngx.status = 403
    ngx.say("closed")
    return ngx.exit(403)
end
