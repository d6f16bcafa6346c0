# See private_key.rs. One line for each command: they are joined with `;`, and the unit
# template has them within double quotes within single quotes.
s|^privatekey: *[^A-Za-z]\{0,1\}@prefix@[A-Za-z0-9+/]\{@seed@\}\([A-Za-z0-9+/]\{@digits@\}=\)[^A-Za-z]\{0,1\} *$|publickey: \1|
t
/privatekey/Q9
/CAES/Q9
