-- Which actions Argo CD offers for a LeaderGroup.
local paused = obj.spec ~= nil and obj.spec.paused == true
local leads = obj.status ~= nil and obj.status.leader ~= nil and obj.status.leader ~= ""
return {
  ["pause"] = { ["disabled"] = paused },
  ["resume"] = { ["disabled"] = not paused },
  ["switchover"] = { ["disabled"] = paused or not leads },
}
