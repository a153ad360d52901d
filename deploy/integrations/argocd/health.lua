-- Health of a LeaderGroup in Argo CD. Without string, math and the like: Argo CD has none of them unless it is told to.
local health = { status = "Progressing", message = "the operator has not looked at this LeaderGroup yet" }

if obj.status == nil or obj.status.conditions == nil then
  return health
end

-- What the operator says of an older spec says nothing of this one.
if obj.metadata.generation ~= nil and obj.status.observedGeneration ~= nil
    and obj.status.observedGeneration < obj.metadata.generation then
  health.message = "the operator has not looked at the latest spec yet"
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local function is(type, status)
  return conditions[type] ~= nil and conditions[type].status == status
end

local function message(type)
  local found = conditions[type]
  if found.message ~= nil and found.message ~= "" then
    return found.message
  end
  return found.reason
end

if is("Stalled", "True") then
  return { status = "Degraded", message = message("Stalled") }
end
if is("Paused", "True") then
  return { status = "Suspended", message = "paused by spec.paused" }
end
if is("Reconciling", "True") then
  return { status = "Progressing", message = message("Reconciling") }
end
if is("Ready", "True") then
  return { status = "Healthy", message = message("Ready") }
end
if is("Ready", "False") then
  -- A workload that has no pods yet is no failure of the group.
  if conditions["Ready"].reason == "NoMembers" then
    return { status = "Progressing", message = message("Ready") }
  end
  return { status = "Degraded", message = message("Ready") }
end
return health
