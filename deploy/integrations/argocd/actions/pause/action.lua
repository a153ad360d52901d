-- The leader stays, whatever happens to it. Where Git says otherwise self-heal takes this back: then change it there.
obj.spec.paused = true
return obj
