-- Asks for another leader, once: an annotation that is put back by self-heal or a restore is older than what was handled, and does nothing.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["leadergroup.dev/switchover"] = "to=any at=" .. os.date("!%Y-%m-%dT%XZ")
return obj
