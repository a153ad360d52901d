/** For `npm run test:mutants:generated`: the tests of what StrykerJS changes (stryker.json), and no others. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/unit/election/**/*.test.ts',
      'test/unit/operator/**/*.test.ts',
      'test/properties/gate.test.ts',
      'test/properties/attacks.test.ts',
    ],
    testTimeout: 30_000,
  },
});
