return function()
    local lfs = require "lfs"
    local names = {}
    for name in lfs.dir("/srv/html/files") do names[#names + 1] = name end
    table.sort(names)
    ngx.say(table.concat(names, " "), " ", require("socket.url").parse("http://a/b?c").path, " ", require("mime").b64("abc"))
end
