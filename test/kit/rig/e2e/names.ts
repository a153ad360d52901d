/** What the objects of examples/notifier.yaml are called, and those beside them. */
export const GROUP = 'notifier';
/** To the leader: by its label, or by an EndpointSlice that is written for it. */
export const SERVICE = 'notifier-leader';
/** To all notifiers, as most applications have one. */
export const TO_ALL = 'notifier-all';
/** The namespace of the sink that checks nothing, and where pods reach it. */
export const UNCHECKED = 'unchecked';
export const UNCHECKED_SINK = `http://notifier-sink.${UNCHECKED}.svc:8080`;
