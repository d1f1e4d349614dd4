/** Shared by the drawing (server) and the reading (browser) of /api/picture. */
export const WIDTH = 960;
export const HEIGHT = 540;
export const STRIP = 28; /* height of the strip of blocks at the bottom, in pixels */
export const BITS = 32;  /* blocks in it: seconds since 1970, greatest bit first, light is 1 */
