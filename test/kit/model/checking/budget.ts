/** How often each kind of trouble may still happen on a path, and how much trouble in all. */
export type Spending<Trouble extends string> = {
  may(trouble: Trouble): boolean;
  spend(trouble: Trouble): void;
};

/** `left` is what it goes by, and what is taken from. */
export const spending = <Trouble extends string>(left: Record<Trouble | 'inAll', number>): Spending<Trouble> => ({
  may: (trouble) => left[trouble] > 0 && left.inAll > 0,
  spend: (trouble) => {
    left[trouble] -= 1;
    left.inAll -= 1;
  },
});
