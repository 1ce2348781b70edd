# oracle.kernel.evaluate, f = log1p(Y) for i = 0, where R = 1, relative to f: Y = y + y_tail = S V with 2^-12 <= V <= 2^-11.
# S is a power of two, 2^-110 to 1. Scaling by it commutes with rounding, far above underflow, so that the code's numbers
# are S times those here, and S^2 and S^3 times the squares and cubes; Gappa needs only 0 <= S <= 1.
@r = float<ieee_64, ne>;
c3 = @C3@;
c4 = @C4@;
c5 = @C5@;
c6 = @C6@;
c7 = @C7@;
y = r(Y_HEAD);
y_tail = r(Y_TAIL);
y1 = float<41, -1074, zr>(y);            # clear_low_bits(y, 12); w_head = x = y1
x_low r= (y - y1) + y_tail;              # y - y1 is exact: first goal
w1 = float<26, -1074, zr>(y1);           # clear_low_bits(w_head, 27)
w_rest = y1 - w1;                        # exact: second goal
w2 r= w_rest + x_low;
w r= w1 + w2;
square = w1 * w1;                        # exact: third goal
crossed r= w2 * (w1 + w);
cube r= (w * w) * w;
v = S * w;                               # the code's w
bracket r= c3 - v * (c4 - v * (c5 - v * (c6 - v * c7)));
cubic r= cube * bracket;
sum2 = w1 - S * 0.5 * square;            # log_head = 0, so that f_error = 0
f2 = r(sum2);
square_error = sum2 - f2;                # fast_two_sum is exact
right1 r= S * S * cubic - S * 0.5 * crossed;
right2 r= w2 + right1;
f_low r= square_error + right2;

V = y + y_tail;
B = c3 - S * V * (c4 - S * V * (c5 - S * V * (c6 - S * V * c7)));
b = c3 - v * (c4 - v * (c5 - v * (c6 - v * c7)));
W_ERROR = (w2 - (w_rest + x_low)) + (x_low - ((y - y1) + y_tail));  # w1 + w2 - V
ROUNDINGS = (f_low - (square_error + right2)) + (right2 - (w2 + right1)) + (right1 - (S * S * cubic - S * 0.5 * crossed));
SQUARES = (crossed - w2 * (w1 + w)) + w2 * (w - (w1 + w2)) + W_ERROR * (w1 + w2 + V);
CUBICS = (cubic - w * w * w * b) + (w * w * w * b - V * V * V * B);
TOTAL = ROUNDINGS + W_ERROR - S * 0.5 * SQUARES + S * S * CUBICS - CUT;  # (f2 + f_low - f)/S; F = f/(S V)

{ Y_HEAD in [0x1p-12, 0x1p-11] /\ |Y_TAIL| <= 0x1p-65 /\ S in [0, 1] /\ |CUT| <= @CUT@ /\ F in [0.9997, 1]
  ->
     r(y - y1) - (y - y1) in [0, 0]
  /\ r(w_rest) - w_rest in [0, 0]
  /\ r(square) - square in [0, 0]
  /\ |TOTAL / V / F| <= @BOUND@ }

w * w * w * b - V * V * V * B -> (w - V) * ((w * w + w * V + V * V) * b) + V * V * V * (b - B);
w - V -> (w - (w1 + w2)) + W_ERROR;
b - B -> S * (w - V) * (S * V * ((c5 - v * (c6 - v * c7)) - S * V * ((c6 - v * c7) - S * V * c7))
       - (c4 - v * (c5 - v * (c6 - v * c7))));
$ V in 8;
