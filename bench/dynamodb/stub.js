'use strict';
// The stub repeats what dynalite has answered.  It tells requests apart by who asks (the path of the URL), their
// operation, and the length of their bodies.

const stub = require('../lib/stub.js');

const TABLE = 'larder';

/* A POST to a file is refused with 405, which is then answered by the file.  What is put differs in length
 * from time to time, and its answer does not. */
const rules = `
    error_page 405 =200 $uri;
    rewrite ^/(larder|sdk)/?$ /$1/$http_x_amz_target/$content_length last;
    location ~ PutItem/ { return 200 '{}'; }
    location / { }`;

/** dir/replies: what a Server has recorded. */
const start = (dir) => stub.start(dir, { type: 'application/x-amz-json-1.0', rules });

module.exports = { TABLE, start };
