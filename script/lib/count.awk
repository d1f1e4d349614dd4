# Counts the single tests in a stage's log: the summaries of CUnit and of node's test runner, lines
# "N passed, N failed[, N skipped]", and of `ctest -V` each test that prints no such summary.  A ctest
# test that failed counts as failed although its own summary was good (a leak found at the exit).
#
# Prints: PASSED FAILED SKIPPED, and on further lines what failed: the number of its line in the log,
# and its name.

function add(test, p, f, s) {
    if (test != "") {
        inner[test] += p + f + s
        inner_failed[test] += f
    }
    passed += p
    failed += f
    skipped += s
}

function name_failed(name) {
    if (n_names < 20) names[++n_names] = NR " " name
}

{
    line = $0
    sub(/\r$/, "", line)
    gsub(/\033\[[0-9;]*[A-Za-z]/, "", line)
    test = ""
    if (match(line, /^[0-9]+: /)) {         # ctest -V puts the test's number before each line
        test = substr(line, 1, RLENGTH - 2)
        line = substr(line, RLENGTH + 1)
    }
}

# CUnit:                tests     12     12     12      0        0
line ~ /^ *tests +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ *$/ {
    split(line, w, " ")
    add(test, w[4], w[5], w[2] - w[3] > 0 ? w[2] - w[3] : 0)
    next
}
line ~ /^ *Test: .*FAILED/ {
    sub(/^ *Test: */, "", line)
    sub(/ *\.\.\..*/, "", line)
    name_failed(line)
    next
}

# node --test, its TAP and its spec form
line ~ /^(#|ℹ) (pass|fail|cancelled|skipped|todo) [0-9]+$/ {
    split(line, w, " ")
    add(test, w[2] == "pass" ? w[3] : 0, w[2] == "fail" || w[2] == "cancelled" ? w[3] : 0,
        w[2] == "skipped" || w[2] == "todo" ? w[3] : 0)
    next
}
line ~ /^ *not ok / && line !~ /# (SKIP|TODO)/ {
    sub(/^ *not ok [0-9]+ (- )?/, "", line)
    name_failed(line)
    next
}

# of the project's own programs
line ~ /^FAIL(ED)? +[^ ]/ {
    sub(/^FAIL(ED)? +/, "", line)
    name_failed(line)
    next
}

line ~ /^([A-Za-z0-9_.-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
    sub(/^[A-Za-z0-9_.-]+: /, "", line)
    split(line, w, " ")
    add(test, w[1], w[3], w[5])
    next
}

# ctest's verdict on a test:   3/30 Test  #7: unit.frame ....   Passed    0.02 sec
line ~ /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    match(line, /#[0-9]+/)
    number = substr(line, RSTART + 1, RLENGTH - 1)
    name = line
    sub(/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: /, "", name)
    sub(/ .*/, "", name)
    if (line ~ /\*\*\*Skipped/) {
        if (!inner[number]) skipped++
    } else if (line ~ / Passed /) {
        if (!inner[number]) passed++
    } else {
        if (!inner_failed[number]) failed++
        name_failed(name)
    }
}

END {
    printf "%d %d %d\n", passed, failed, skipped
    for (i = 1; i <= n_names; i++) print names[i]
}
