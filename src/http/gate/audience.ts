/** What the tokens of applications must be made for: one for the API server, or for another service, is none for the gate. */
export const AUDIENCE = 'leadergroup';
