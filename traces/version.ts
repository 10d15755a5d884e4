/** Version of the tool, as in package.json (a test compares them): a bundle cannot look it up by path. */
export const version = '0.1.0';
