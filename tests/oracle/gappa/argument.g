# oracle.kernel.evaluate: R (1 + Y) = 1 + W and R Y = x + x_low, w1 + w2 = W, for i >= 1 and Y = y + y_tail >= 2^-11.
# The code's names stand for what float64 holds; capitals are real numbers. R = m/4096 is a table's entry.
@r = float<ieee_64, ne>;
R = fixed<-12, ne>(RECIPROCAL);
y = r(Y_HEAD);
y_tail = r(Y_TAIL);
y1 = float<41, -1074, zr>(y);            # clear_low_bits(y, 12)
x = R * y1;                              # exact: first goal
y_rest = y - y1;                         # exact: second goal
x_rest r= y_rest + y_tail;
x_low r= R * x_rest;
w_head = (R - 1) + x;                    # exact: third goal
w1 = float<26, -1074, zr>(w_head);       # clear_low_bits(w_head, 27)
w_rest = w_head - w1;                    # exact: fourth goal
w2 r= w_rest + x_low;

W = (R - 1) + R * (y + y_tail);
X_ERROR = (x_low - R * x_rest) + R * (x_rest - (y_rest + y_tail));  # x + x_low - R Y
W_ERROR = (w2 - (w_rest + x_low)) + X_ERROR;                        # w1 + w2 - W

{ RECIPROCAL in [0.5, 0x0.fffp0] /\ Y_HEAD in [0x1p-11, 1] /\ |Y_TAIL| <= 0x1p-54 /\ |W| <= @W@
  ->
     r(x) - x in [0, 0]
  /\ r(y_rest) - y_rest in [0, 0]
  /\ r(w_head) - w_head in [0, 0]
  /\ r(w_rest) - w_rest in [0, 0]
  /\ r(w1 * w1) - w1 * w1 in [0, 0]
  /\ |w1| <= @W1@
  /\ |w2| <= @W2@
  /\ |W_ERROR| <= @W_ERROR@ }

w_head -> W - R * (y_rest + y_tail);
