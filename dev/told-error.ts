/** A failure whose message is for the person who began the script: it says what is wrong and what to do, and where in our code it was found helps nobody. */
export class ToldError extends Error {}
