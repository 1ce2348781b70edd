# oracle.kernel.evaluate, s = R Y G relative to s, G = 1/(1 + W), Y = y + y_tail; all scaled by a power of two so that 1/2 <= R Y <= 1.
# w1, w2, w and their error against W are argument.g's (i >= 1), or smaller (i = 0).
@r = float<ieee_64, ne>;
R = fixed<-12, ne>(RECIPROCAL);
y = r(Y_HEAD);
y_tail = r(Y_TAIL);
w1 = float<26, -1074, zr>(W1);
w2 = r(W2);

y1 = float<41, -1074, zr>(y);            # clear_low_bits(y, 12)
x = R * y1;                              # exact by argument.g
x_in r= (y - y1) + y_tail;
x_low r= R * x_in;
w r= w1 + w2;
square = w1 * w1;                        # exact by argument.g
crossed r= w2 * (w1 + w);
cube r= (w * w) * w;
one_w r= 1 + w;
quotient r= cube / one_w;
sum1 = 1 - w1;
ga = r(sum1);
g_error = sum1 - ga;                     # fast_two_sum is exact
sum2 = ga + square;
g = r(sum2);
square_error = sum2 - g;                 # fast_two_sum is exact
left r= g_error + square_error;
right1 r= crossed - w2;
right2 r= right1 - quotient;
g_low r= left + right2;
x1 = float<26, -1074, zr>(x);            # clear_low_bits(x, 27)
g1 = float<26, -1074, zr>(g);
x_rest = x - x1;                         # exact: first goal
g_rest = g - g1;                         # exact: second goal
x2 r= x_rest + x_low;
g2 r= g_rest + g_low;
leading = x1 * g1;                       # exact: third goal
a r= x1 * g2;
c r= x2 * (g1 + g2);
low r= a + c;

X = R * (y + y_tail);
W = w1 + w2 - W_ERROR;
G_ROUNDINGS = (g_low - (left + right2)) + (left - (g_error + square_error)) + (right2 - (right1 - quotient))
            + (right1 - (crossed - w2));
SQUARES = (crossed - w2 * (w1 + w)) + w2 * (w - (w1 + w2)) + W_ERROR * (w1 + w2 + W);  # square + crossed - W^2
CUBES = (quotient - w * w * w / (1 + w)) + (w * w * w / (1 + w) - W * W * W / (1 + W));
G_ERROR = G_ROUNDINGS - W_ERROR + SQUARES - CUBES;                  # g + g_low - G
DG = (G_ERROR + (g2 - (g_rest + g_low))) * (1 + W);                 # (g1 + g2)/G - 1
X_ERROR = (x_low - R * x_in) + R * (x_in - ((y - y1) + y_tail));    # x + x_low - X
DX = (X_ERROR + (x2 - (x_rest + x_low))) / X;                 # (x1 + x2)/X - 1
S_ROUNDINGS = (low - (a + c)) + (a - x1 * g2) + (c - x2 * (g1 + g2));
TOTAL = DX + DG + DX * DG + S_ROUNDINGS * (1 + W) / X;        # (leading + low)/s - 1, by the definitions above

{ RECIPROCAL in [0.5, 1] /\ Y_HEAD in [0.5, 2] /\ |Y_TAIL| <= 0x1p-53 /\ X in [0.5, 1] /\ |W1| <= @W1@ /\ |W2| <= @W2@
  /\ |W_ERROR| <= @W_ERROR@
  ->
     r(x_rest) - x_rest in [0, 0]
  /\ r(g_rest) - g_rest in [0, 0]
  /\ r(leading) - leading in [0, 0]
  /\ |TOTAL| <= @BOUND@ }

w * w * w / (1 + w) - W * W * W / (1 + W) -> (w - W) * ((w * w + w * W + W * W) + w * W * (w + W)) / ((1 + w) * (1 + W))
   { 1 + w <> 0, 1 + W <> 0 };
quotient - w * w * w / (1 + w) -> (quotient - cube / one_w) + (cube - w * w * w) / one_w
                               + w * w * w * ((1 + w) - one_w) / (one_w * (1 + w)) { one_w <> 0, 1 + w <> 0 };
w - W -> (w - (w1 + w2)) + W_ERROR;
