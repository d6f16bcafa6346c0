# See private_key.rs. Each line is one command: the lines are joined with `;`, and in the
# unit template they are within double quotes inside single quotes.
s|^privatekey: *[^A-Za-z]\{0,1\}@prefix@[A-Za-z0-9+/]\{@seed@\}\([A-Za-z0-9+/]\{@digits@\}=\)[^A-Za-z]\{0,1\} *$|publickey: \1|
t
/privatekey/Q9
/CAES/Q9
